"""What an incident says to the world by itself: a Slack channel, tickets, contacts. Read from the log, delivered by `outbox`."""
