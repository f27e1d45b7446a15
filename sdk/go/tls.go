//go:build !wasip1

package cdpplugin

import "crypto/tls"

type tlsConfig = tls.Config

// WithTLS serves TLS on TCP, for a plugin that runs as a remote service; client certificates are
// asked for where config says so. A Unix socket has no need of it.
func WithTLS(config *tls.Config) Option {
	return func(s *settings) { s.tls = config }
}
