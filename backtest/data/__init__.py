"""Price data: what enters, its times, its gaps, how many bars make a year."""
