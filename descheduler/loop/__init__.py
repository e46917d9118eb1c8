"""The loop: observe, decide, publish, again and again."""
