"""From a proposal to a counted, judged trial."""
