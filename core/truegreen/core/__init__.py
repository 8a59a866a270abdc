"""What every plugin shares: words, configuration, clients, the root command."""
