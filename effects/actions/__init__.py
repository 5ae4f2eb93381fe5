"""Every change of what agents may do, asked for and had done."""
