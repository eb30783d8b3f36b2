"""sgtls - a node with a TLS listener: an ECDSA and an RSA certificate for node.test, another's beside."""
import subprocess

import sg

CONFIG = sg.CONFIG.replace('listeners: [{address: "127.0.0.1:{port}"}]', """listeners:
  - address: "127.0.0.1:{port}"
  - address: "127.0.0.1:{tls_port}"
    tls:
      certificates:
        - {cert_file: {certs}/ec.pem, key_file: {certs}/ec.key}
        - {cert_file: {certs}/rsa.pem, key_file: {certs}/rsa.key}
        - {cert_file: {certs}/other.pem, key_file: {certs}/other.key}
""")
BODY = bytes(range(256)) * 5000  # more than a record, a buffer, a window
SOME = BODY[:40000]


class TlsScenario(sg.Scenario):
    def certificate_of(self, name, host, key="ec", days=30):
        kind = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" else ["rsa:2048"]
        subprocess.run(["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-days", str(days),
                        "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}", "-keyout",
                        self.folder / f"{name}.key", "-out", self.folder / f"{name}.pem"],
                       check=True, capture_output=True)

    def tls_node(self, links=0):
        """`links`: of a chain behind the first certificate, some 800 bytes each."""
        self.certificate_of("ec", "node.test")
        self.certificate_of("rsa", "node.test", "rsa")
        self.certificate_of("other", "other.test")
        with open(self.folder / "ec.pem", "a", encoding="ascii") as chain:
            chain.write((self.folder / "rsa.pem").read_text() * links)
        origin = self.origin({"/big": BODY, "/some": SOME, "/small": b"hello"})
        return self.node(origin, CONFIG.replace("{certs}", str(self.folder)), name=f"node{links}")
