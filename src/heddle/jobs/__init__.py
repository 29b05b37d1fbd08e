"""Work that a worker does later, elsewhere: its records, who has taken it, when it comes again."""
