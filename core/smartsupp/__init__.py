"""What Smartsupp sends, and what it means. Everybody may import it."""
