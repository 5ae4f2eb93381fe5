"""Where copies of the record are put: a directory, or storage that speaks S3."""
