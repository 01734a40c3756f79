"""Long jobs: calibration, hourly schedule, back-runs."""
