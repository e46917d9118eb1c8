"""What every server of this project needs: addresses, and certificates that may change."""
