package cdpplugin

type tlsConfig struct{}

// WithTLS changes nothing: a WebAssembly plugin is reached by no network. It takes any type of
// configuration, so that crypto/tls is part of the module only where its author asks for it.
func WithTLS[Config any](*Config) Option {
	return func(*settings) {}
}
