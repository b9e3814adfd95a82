"""What judges a VTN of OpenADR 3: the harness is its business logic and its VENs, each with a token of its own."""
