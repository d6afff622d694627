//go:build tools

// Package tools pins kube-apiserver: the module exists only so that it can be built at one known version.
package tools

import _ "k8s.io/kubernetes/cmd/kube-apiserver"
