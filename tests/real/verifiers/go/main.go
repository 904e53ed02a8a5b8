// Judges certificates as Linkerd's identity controller and Consul do: Go's crypto/x509 and crypto/tls, TLS 1.3, both
// peers show a certificate.
//
// A JSON request a line on stdin, an answer a line on stdout: {"refusal": ""} if the certificate is accepted. All PEM:
// `chain` has the leaf first. `at` is Unix time. A chain is judged as a server's and as a client's; an empty name is
// not judged.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"os"
	"time"
)

type peer struct{ Chain, Key, Roots string }

type request struct {
	Op, Chain, Roots, Name string
	Client, Server         peer
	At                     int64
}

func main() {
	requests, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var asked request
		if err := requests.Decode(&asked); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		refusal := ""
		if err := judge(asked); err != nil {
			refusal = err.Error()
		}
		if err := answers.Encode(map[string]string{"refusal": refusal}); err != nil {
			log.Fatal(err)
		}
	}
}

func judge(asked request) error {
	if asked.Op == "validate" {
		return validate(asked)
	}
	return handshake(asked)
}

func validate(asked request) error {
	chain, err := certificates(asked.Chain)
	if err != nil {
		return err
	}
	above := x509.NewCertPool()
	for _, certificate := range chain[1:] {
		above.AddCert(certificate)
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		_, err := chain[0].Verify(x509.VerifyOptions{
			DNSName: asked.Name, Roots: pool(asked.Roots), Intermediates: above,
			CurrentTime: time.Unix(asked.At, 0), KeyUsages: []x509.ExtKeyUsage{usage},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func handshake(asked request) error {
	serving, err := configuration(asked, asked.Server)
	if err != nil {
		return err
	}
	calling, err := configuration(asked, asked.Client)
	if err != nil {
		return err
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", serving)
	if err != nil {
		return err
	}
	defer listener.Close()
	served := make(chan error, 1)
	go func() { served <- serve(listener) }()
	called, answered := call(listener.Addr().String(), calling), <-served
	if called == nil || isJudgement(answered) {
		return answered
	}
	return called
}

func configuration(asked request, of peer) (*tls.Config, error) {
	pair, err := tls.X509KeyPair([]byte(of.Chain), []byte(of.Key))
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, ServerName: asked.Name,
		RootCAs: pool(of.Roots), ClientCAs: pool(of.Roots), ClientAuth: tls.RequireAndVerifyClientCert,
		Time: func() time.Time { return time.Unix(asked.At, 0) },
	}, err
}

func serve(listener net.Listener) error {
	connection, err := listener.Accept()
	if err != nil {
		return err
	}
	defer connection.Close()
	if _, err := io.ReadFull(connection, make([]byte, 4)); err != nil {
		return err
	}
	_, err = connection.Write([]byte("pong"))
	return err
}

func call(address string, with *tls.Config) error {
	connection, err := tls.Dial("tcp", address, with)
	if err != nil {
		return err
	}
	defer connection.Close()
	if _, err := connection.Write([]byte("ping")); err != nil {
		return err
	}
	_, err = io.ReadFull(connection, make([]byte, 4))
	return err
}

// isJudgement says whether this side refused the other: whoever is refused only hears an alert or finds itself alone.
func isJudgement(err error) bool {
	var judgement *tls.CertificateVerificationError
	return errors.As(err, &judgement)
}

func pool(roots string) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(roots))
	return pool
}

func certificates(text string) ([]*x509.Certificate, error) {
	var found []*x509.Certificate
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		found = append(found, certificate)
	}
	if found == nil {
		return nil, errors.New("no certificate")
	}
	return found, nil
}
