"""Local stand-ins for services that cannot run here; they enforce the services' rules."""
