"""`truegreen incident serve`: takes Alertmanager's notifications, shows the page, and lets clocks, channels, policies and reminders run."""
