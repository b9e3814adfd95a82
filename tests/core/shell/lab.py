"""A laboratory of certificates: good ones by profile, and every bad one that a stranger may bring."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from openadr_core.pki import Authority, Issued, Profile, issue, make_authority, parse_profile
from openadr_core.shell.tls import Chain

PROFILES = Path(__file__).resolve().parents[3] / "certs" / "profiles"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Change = Callable[[x509.CertificateBuilder], x509.CertificateBuilder]


def profile(name: str) -> Profile:
    return parse_profile(name, (PROFILES / f"{name}.toml").read_text())


@dataclass
class Lab:
    """Certificates for loopback, made once a session, and files of them."""

    folder: Path
    now: datetime
    authorities: dict[str, Authority] = field(default_factory=dict)
    chains: dict[str, Chain] = field(default_factory=dict)

    def write(self, name: str, certificate_pem: bytes, key_pem: bytes) -> Chain:
        chain = Chain(certificate=self.folder / f"{name}.pem", key=self.folder / f"{name}.key")
        chain.certificate.write_bytes(certificate_pem)
        chain.key.write_bytes(key_pem)
        return chain

    def authority(self, kind: str) -> Authority:
        """The issuing authority of ``rsa``, ``ecc`` or ``sep2``."""
        if kind not in self.authorities:
            names = {"sep2": ("sep2-serca", "sep2-mca", "sep2-mica")}.get(
                kind, (f"openadr-{kind}-root", f"openadr-{kind}-ca")
            )
            above = None
            for name in names:
                above = make_authority(name, profile(name), self.now, above)
                self.authorities[name] = above
            assert above is not None
            self.authorities[kind] = above
        return self.authorities[kind]

    def trust(self, kind: str) -> Path:
        self.authority(kind)
        root = self.authorities["sep2-serca" if kind == "sep2" else f"openadr-{kind}-root"]
        path = self.folder / f"{kind}.root.pem"
        if not path.exists():  # a server that starts may be reading it
            path.write_bytes(root.certificate_pem)
        return path

    def issued(self, profile_name: str, name: str = "party", *, days: int | None = None) -> Issued:
        kind = "sep2" if profile_name.startswith("sep2") else profile_name.split("-")[1]
        wanted = profile(profile_name)
        hosts = {"dns_names": ["localhost"], "ip_addresses": ["127.0.0.1"]} if wanted.host_names else {}
        return issue(wanted, name, self.authority(kind), self.now, days=days, **hosts)

    def chain(self, profile_name: str, name: str = "party", *, days: int | None = None) -> Chain:
        """Files of such a certificate; the same ones for the same names."""
        file_name = f"{profile_name}.{name}"
        if file_name not in self.chains:
            made = self.issued(profile_name, name, days=days)
            self.chains[file_name] = self.write(file_name, made.chain_pem, made.key_pem)
        return self.chains[file_name]

    def bad(self, fault: str) -> Chain:
        """A client certificate that the authorities of this lab would seem to have signed, with one thing wrong.

        With no fault named, it is the one to compare with.
        """
        pem, key = FAULTS[fault].make(self) if fault else without_fault(self)
        return self.write(
            f"bad.{fault.replace(' ', '-')}",
            pem,
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _sign(
    lab: Lab,
    *changes: Change,
    name: str = "stranger",
    issuer: Authority | None = None,
    issuer_name: x509.Name | None = None,
    key: Key | None = None,
    days: Sequence[int] = (-1, 30),
    usage: str = "digital_signature",
    authority: bool = False,
    path_length: int | None = None,
) -> tuple[bytes, Key]:
    above = issuer or lab.authority("ecc")
    above_certificate = x509.load_pem_x509_certificate(above.certificate_pem)
    above_key = serialization.load_pem_private_key(above.key_pem, password=None)
    assert isinstance(above_key, Key)
    key = key or ec.generate_private_key(ec.SECP256R1())
    usages = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
         "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False,
    )  # fmt: skip
    usages[usage] = True
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer_name or above_certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(lab.now + timedelta(days=days[0]))
        .not_valid_after(lab.now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=path_length), critical=True)
        .add_extension(x509.KeyUsage(**usages), critical=True)
    )
    for change in changes:
        builder = change(builder)
    certificate = builder.sign(above_key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM) + above.chain_pem, key


def _uses(*uses: x509.ObjectIdentifier) -> Change:
    return lambda builder: builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)


def _unknown_critical(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.32473.99"), b"\x05\x00")
    return builder.add_extension(unknown, critical=True)


def _as_authority(pem: bytes, key: Key) -> Authority:
    """Whatever was made, as if it might sign."""
    return Authority(
        certificate_pem=pem,
        key_pem=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        chain_pem=pem,
    )


def _self_signed(lab: Lab) -> tuple[bytes, Key]:
    key = ec.generate_private_key(ec.SECP256R1())
    itself = _as_authority(lab.authority("ecc").certificate_pem, key)
    pem, _ = _sign(lab, issuer=itself, issuer_name=_name("stranger"), key=key)
    return x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.PEM), key


def _name_only_match(lab: Lab) -> tuple[bytes, Key]:
    """The issuer's name is right; its key is another's."""
    real = lab.authority("ecc")
    other = _as_authority(real.certificate_pem, ec.generate_private_key(ec.SECP256R1()))
    return _sign(lab, issuer=Authority(certificate_pem=real.certificate_pem, key_pem=other.key_pem))


def _below_leaf(lab: Lab) -> tuple[bytes, Key]:
    return _sign(lab, issuer=_as_authority(*_sign(lab, name="no authority")))


def _below_lowest(lab: Lab) -> tuple[bytes, Key]:
    """One authority more than the path length of the one above allows."""
    extra = _as_authority(*_sign(lab, name="one too many", usage="key_cert_sign", authority=True))
    return _sign(lab, issuer=extra)


def _below_root(lab: Lab, *changes: Change) -> tuple[bytes, Key]:
    lab.authority("ecc")
    root = lab.authorities["openadr-ecc-root"]
    middle = _as_authority(
        *_sign(lab, *changes, name="middle", issuer=root, usage="key_cert_sign", authority=True, path_length=0)
    )
    return _sign(lab, issuer=middle)


def _sha1(lab: Lab) -> tuple[bytes, Key]:
    """No library signs with SHA-1 any more: the name of the digest is changed in place and the rest signed again."""
    lab.authority("rsa")
    signer = serialization.load_pem_private_key(lab.authority("rsa").key_pem, password=None)
    assert isinstance(signer, rsa.RSAPrivateKey)
    pem, key = _sign(lab, issuer=lab.authority("rsa"))
    good = x509.load_pem_x509_certificate(pem)
    sha256_name, sha1_name = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")
    body = good.tbs_certificate_bytes.replace(sha256_name, sha1_name)
    signature = signer.sign(body, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303  # the fault that is wanted
    der = good.public_bytes(serialization.Encoding.DER)
    der = der.replace(good.tbs_certificate_bytes, body).replace(sha256_name, sha1_name)
    der = der.replace(good.signature, signature)
    weak = x509.load_der_x509_certificate(der)
    return weak.public_bytes(serialization.Encoding.PEM) + lab.authority("rsa").chain_pem, key


def without_fault(lab: Lab) -> tuple[bytes, Key]:
    """What every faulty certificate is like, but for its fault."""
    return _sign(lab)


@dataclass(frozen=True, slots=True)
class Fault:
    make: Callable[[Lab], tuple[bytes, Key]]
    reason: str
    """What OpenSSL says of it."""


FAULTS: dict[str, Fault] = {
    "expired": Fault(lambda lab: _sign(lab, days=(-30, -1)), "certificate has expired"),
    "not yet good": Fault(lambda lab: _sign(lab, days=(1, 30)), "not yet valid"),
    "for servers only": Fault(lambda lab: _sign(lab, _uses(ExtendedKeyUsageOID.SERVER_AUTH)), "unsuitable certificate"),
    "no digital signature": Fault(lambda lab: _sign(lab, usage="crl_sign"), "unsuitable certificate purpose"),
    "signed by a leaf": Fault(_below_leaf, "invalid CA certificate"),
    "path too long": Fault(_below_lowest, "path length constraint exceeded"),
    "authority for other uses": Fault(
        lambda lab: _below_root(lab, _uses(ExtendedKeyUsageOID.CODE_SIGNING)), "unsuitable certificate purpose"
    ),
    "authority with unknown critical": Fault(lambda lab: _below_root(lab, _unknown_critical), "unhandled critical"),
    "unknown critical extension": Fault(lambda lab: _sign(lab, _unknown_critical), "unhandled critical extension"),
    "wrong issuer name": Fault(
        lambda lab: _sign(lab, issuer_name=_name("somebody else")), "unable to get local issuer certificate"
    ),
    "name only match": Fault(_name_only_match, "certificate signature failure|unable to get local issuer"),
    "self-signed": Fault(_self_signed, "self-signed certificate"),
    "RSA of 1024 bits": Fault(
        lambda lab: _sign(lab, key=rsa.generate_private_key(65537, 1024)),  # noqa: S505
        "key too weak",
    ),
    "signed with SHA-1": Fault(_sha1, "digest algorithm too weak"),
}
