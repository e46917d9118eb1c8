"""From what was measured to what is to be expected: use, peaks, overhead, swap, who dies next."""
