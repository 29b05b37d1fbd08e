"""What the native API takes and gives, one module per group; ``openapi`` documents every field."""
