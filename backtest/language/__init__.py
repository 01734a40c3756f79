"""The strategy language: parser, vocabulary, informal forms, mirror image, contradictions."""
