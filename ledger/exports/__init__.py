"""Taking the record out: files of the form unsprawl.export/2, see docs/ledger-format.md."""
