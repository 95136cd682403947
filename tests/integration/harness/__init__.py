"""A private world for the integration tests: a mount and pid namespace, a real bus, a real polkitd,
the service under test. Nothing of it outlives the test run, and nothing of it touches the machine."""
