"""Everything that knows Stellar: XDR, lakes, rows, and the components made of them."""
