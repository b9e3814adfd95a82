"""The names of XML signatures, and the few algorithms that are spoken here."""

DS = "http://www.w3.org/2000/09/xmldsig#"
DSP = "http://openadr.org/oadr-2.0b/2012/07/xmldsig-properties"

C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
"""Canonical XML 1.0, inclusive: what OpenADR 2.0b 10.6 asks for."""
EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"

IS_EXCLUSIVE = {
    C14N: False,
    f"{C14N}#WithComments": False,
    EXCLUSIVE_C14N: True,
    f"{EXCLUSIVE_C14N}WithComments": True,
}
"""What is read. Exclusive canonicalisation is none of the rule's; peers whose library offers no other use it.

Interpretation: a comment is never kept. A reference by id leaves comments out of what is signed
whatever the algorithm (XML Signature 4.4.3.3), and one inside SignedInfo is gone before it is
verified, which makes the signature wrong: what nobody reads, nobody need sign.
"""

RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
"""Interpretation: R514 lists SHA-1 too, 10.6.3 does not allow it: it is refused."""
