"""The same work spread over processes and machines."""
