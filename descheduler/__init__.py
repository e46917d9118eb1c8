"""The descheduler: decides what to move, and moves it."""
