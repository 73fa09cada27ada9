package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/signet-issuer/signet/internal/secret"
)

const remoteTimeout = 10 * time.Second

// remote is a running server and the credential to use with it.
type remote struct {
	issuer, clientID, secretFile string
}

func (r *remote) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.issuer, "issuer", "", "`URL` of the issuer")
	cmd.Flags().StringVar(&r.clientID, "client-id", "", "client `id` to authenticate with")
	cmd.Flags().StringVar(&r.secretFile, "client-secret-file", "", "`file` with the client secret, - for standard input")
}

// tokenConfig trades the credential at the issuer's token endpoint.
func (r *remote) tokenConfig(stdin io.Reader) (*clientcredentials.Config, error) {
	value, err := r.secret(stdin)
	if err != nil {
		return nil, err
	}
	return &clientcredentials.Config{
		ClientID: r.clientID, ClientSecret: value.Reveal(), TokenURL: strings.TrimSuffix(r.issuer, "/") + "/token",
		AuthStyle: oauth2.AuthStyleInHeader,
	}, nil
}

func (r *remote) secret(stdin io.Reader) (secret.Text, error) {
	if r.issuer == "" || r.clientID == "" || r.secretFile == "" {
		return secret.Text{}, errors.New("--issuer, --client-id and --client-secret-file are needed")
	}
	return readSecret(r.secretFile, stdin)
}

func readSecret(path string, stdin io.Reader) (secret.Text, error) {
	const maxSecretBytes = 4096
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return secret.Text{}, fmt.Errorf("read the client secret: %w", err)
		}
		defer func() { _ = file.Close() }()
		stdin = file
	}
	text, err := io.ReadAll(io.LimitReader(stdin, maxSecretBytes))
	if err != nil {
		return secret.Text{}, fmt.Errorf("read the client secret: %w", err)
	}
	value := strings.TrimRight(string(text), "\r\n")
	if value == "" {
		return secret.Text{}, errors.New("the client secret is empty")
	}
	return secret.New(value), nil
}
