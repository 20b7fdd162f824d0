"""Host names of gateways: asked of DNS by the daemon, remembered, told; never during a call."""
