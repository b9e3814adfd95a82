"""The VTN's side of each protocol, without sockets: requests in, responses out, the time told."""
