"""The network, its weights and their record. `record` needs no torch; the other modules load it."""
