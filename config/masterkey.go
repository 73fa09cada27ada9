package config

import "github.com/signet-issuer/signet/internal/secret"

const keyHint = "make one with: head -c 32 /dev/urandom | base64"

// readMasterKey fills MasterKey from the file, if that is where the key is.
func (c *Config) readMasterKey(found *problems) {
	if c.MasterKeyFile == "" {
		return
	}
	if !c.MasterKey.IsZero() {
		found.add("master_key", "is set beside master_key_file", "set one of them")
		return
	}
	content, open, err := readSmallFile(c.MasterKeyFile)
	switch {
	case err != nil:
		found.add("master_key_file", err.Error(), "it must be the path of a file with the key")
	case open:
		found.add("master_key_file", "can be read by others than its owner", "chmod 600 the file, or pass the key in SIGNET_MASTER_KEY")
	default:
		c.MasterKey = secret.New(string(content))
		if _, err := secret.ParseKey(c.MasterKey.Reveal()); err != nil {
			found.add("master_key_file", "does not hold the base64 of 32 bytes", keyHint)
			c.MasterKey = secret.Text{}
		}
	}
}

func (c Config) checkMasterKey(found *problems) {
	if c.MasterKey.IsZero() {
		return
	}
	if _, err := secret.ParseKey(c.MasterKey.Reveal()); err != nil {
		found.add("master_key", "is not the base64 of 32 bytes", keyHint)
	}
}
