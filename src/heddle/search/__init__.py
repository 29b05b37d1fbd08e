"""Search: one grammar for filters and orders, compiled to SQL with bound values."""
