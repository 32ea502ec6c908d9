"""Which rows an update holds: segments become windows or streams whose rows continue one another."""
