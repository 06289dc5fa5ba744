"""What is kept on disk: files written whole, the cache, what a build left in its folder."""
