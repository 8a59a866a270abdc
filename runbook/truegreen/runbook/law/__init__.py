"""What the law may ask after an incident: clocks as data, recorded decisions, reminders and drafts. Advice, no legal opinion."""
