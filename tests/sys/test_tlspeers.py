#!/usr/bin/env python3
"""TLS as the libraries of other houses speak it: Go's, Java's, Node's, NSS. Each fetches 1.3 MB three times in
both versions and resumes where it can; which is not on this machine is left out."""
import os
import re
import shutil
import subprocess
import unittest

import sg
import sgtls

GET = r"GET /big HTTP/1.1\r\nHost: node.test\r\nConnection: close\r\n\r\n"
GO = """package main

import ("crypto/tls"; "fmt"; "io"; "os")

func main() {
    for _, version := range []uint16{tls.VersionTLS13, tls.VersionTLS12} {
        config := &tls.Config{InsecureSkipVerify: true, ServerName: "node.test", MinVersion: version,
            MaxVersion: version, NextProtos: []string{"http/1.1"},
            ClientSessionCache: tls.NewLRUClientSessionCache(4)}
        for i := 0; i < 3; i++ {
            conn, err := tls.Dial("tcp", "127.0.0.1:" + os.Args[1], config)
            if err != nil { fmt.Println(err); os.Exit(1) }
            conn.Write([]byte("%s"))
            said, err := io.ReadAll(conn)
            state := conn.ConnectionState()
            fmt.Println(len(said), state.NegotiatedProtocol, err)
        }
    }
}
""" % GET
JAVA = """import java.security.cert.X509Certificate;
import java.util.List;
import javax.net.ssl.*;

public class Get {
    static final X509TrustManager ANY = new X509TrustManager() {
        public X509Certificate[] getAcceptedIssuers() { return new X509Certificate[0]; }
        public void checkClientTrusted(X509Certificate[] chain, String type) {}
        public void checkServerTrusted(X509Certificate[] chain, String type) {}
    };
    public static void main(String[] args) throws Exception {
        for (String version : new String[]{"TLSv1.3", "TLSv1.2"}) {
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, new TrustManager[]{ANY}, null);
            for (int i = 0; i < 3; i++) {
                SSLSocket socket = (SSLSocket) context.getSocketFactory()
                    .createSocket("127.0.0.1", Integer.parseInt(args[0]));
                socket.setEnabledProtocols(new String[]{version});
                SSLParameters parameters = socket.getSSLParameters();
                parameters.setApplicationProtocols(new String[]{"http/1.1"});
                parameters.setServerNames(List.of(new SNIHostName("node.test")));
                socket.setSSLParameters(parameters);
                socket.getOutputStream().write("%s".getBytes());
                int length = socket.getInputStream().readAllBytes().length;
                System.out.println(length + " " + socket.getApplicationProtocol());
                socket.close();
            }
        }
    }
}
""" % GET
NODE = """import tls from 'tls'
const once = (version, session) => new Promise((done, fail) => {
    let length = 0, next
    const socket = tls.connect({host: '127.0.0.1', port: +process.argv[2], servername: 'node.test',
        rejectUnauthorized: false, minVersion: version, maxVersion: version, session,
        ALPNProtocols: ['http/1.1']}, () => socket.write('%s'))
    socket.on('session', session => next = session)
    socket.on('data', data => length += data.length)
    socket.on('error', fail)
    socket.on('end', () => { console.log(length, socket.alpnProtocol); done(next) })
})
for (const version of ['TLSv1.3', 'TLSv1.2']) {
    let session
    for (let i = 0; i < 3; i++) session = await once(version, session)
}
""" % GET


class Peers(sgtls.TlsScenario):
    def run_peer(self, name, text, *command):
        program = shutil.which(command[0])
        if program is None:
            raise unittest.SkipTest(f"no {command[0]} on this machine")
        (self.folder / name).write_text(text)
        node = self.tls_node()
        done = subprocess.run([*command, str(self.folder / name), str(node.tls_port)], timeout=120,
                              capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                              env={**os.environ, "GOCACHE": str(self.folder / "go"), "GO111MODULE": "off"})
        self.assertEqual(done.returncode, 0, done.stderr)
        fetched = re.findall(r"^(\d+) http/1\.1", done.stdout, re.MULTILINE)
        self.assertEqual(len(fetched), 6, done.stdout)
        self.assertTrue(all(int(length) > len(sgtls.BODY) for length in fetched), done.stdout)
        self.assertEqual(node.counter("handshakes_failed"), 0)
        return node.counter("handshakes_resumed")

    def test_go(self):
        self.assertGreaterEqual(self.run_peer("get.go", GO, "go", "run"), 2)  # 1.2 from Go 1.21 on

    def test_java(self):
        self.assertEqual(self.run_peer("Get.java", JAVA, "java"), 4)

    def test_node(self):
        self.assertGreaterEqual(self.run_peer("get.mjs", NODE, "node"), 3)

    def test_nss(self):
        if shutil.which("tstclnt") is None:
            raise unittest.SkipTest("no tstclnt on this machine")
        node = self.tls_node()
        (self.folder / "request").write_bytes(GET.encode().decode("unicode_escape").encode())
        for version in ("tls1.3", "tls1.2"):
            done = subprocess.run(
                ["tstclnt", "-h", "127.0.0.1", "-a", "node.test", "-p", str(node.tls_port), "-o", "-D",
                 "-V", f"{version}:{version}", "-u", "-L", "2", "-A", str(self.folder / "request")],
                capture_output=True, timeout=sg.PATIENCE_S, check=False, stdin=subprocess.DEVNULL)
            self.assertGreater(done.stdout.count(sgtls.BODY), 1, done.stderr)
        self.assertEqual(node.counter("handshakes_resumed"), 2)


if __name__ == "__main__":
    sg.main()
