"""The cluster as it is now: objects that lists and watches bring, and the states that are made of them, change by change."""
