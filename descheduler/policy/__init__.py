"""The pure decision core: classify, choose, order, explain."""
