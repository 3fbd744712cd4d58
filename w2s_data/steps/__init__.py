"""What two or more methods share, one idea per file."""
