"""The other end of the gateway contract: what stands before real devices, and speaks to each kind by its driver."""
