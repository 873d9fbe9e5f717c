#!/usr/bin/env bash
# Makes the node's CA, its certificates and a kubeconfig for each part, so that authentication and RBAC decide as on
# any cluster.
set -euo pipefail
# shellcheck source=test/node/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$STATE/pki"

openssl ecparam -name prime256v1 -genkey -noout -out ca.key
openssl req -x509 -new -key ca.key -subj /CN=rollcall-node-ca -days 2 -out ca.crt 2>/dev/null

certificate() { # NAME SUBJECT [ALTERNATIVE NAMES]
  openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
  openssl req -new -key "$1.key" -subj "$2" -out "$1.csr" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out "$1.crt" \
    -extfile <(echo extendedKeyUsage=serverAuth,clientAuth; [ -z "${3:-}" ] || echo "subjectAltName=$3") 2>/dev/null
}
certificate apiserver /CN=kube-apiserver \
  "DNS:kubernetes.default.svc,DNS:localhost,IP:127.0.0.1,IP:$node_ip,IP:$kubernetes_ip"
certificate apiserver-kubelet /O=system:masters/CN=kube-apiserver-kubelet-client
certificate front-proxy /CN=front-proxy-client
certificate kubelet "/O=system:nodes/CN=system:node:$node" "DNS:$node,IP:$node_ip"
certificate controller-manager /CN=system:kube-controller-manager
certificate scheduler /CN=system:kube-scheduler
certificate proxy /CN=system:kube-proxy
certificate admin /O=system:masters/CN=admin
openssl genrsa -out service-accounts.key 2048 2>/dev/null
openssl rsa -in service-accounts.key -pubout -out service-accounts.pub 2>/dev/null

for user in kubelet controller-manager scheduler proxy admin; do
  cat >"$STATE/conf/$user.kubeconfig" <<EOF
apiVersion: v1
kind: Config
current-context: node
contexts:
- name: node
  context: {cluster: node, user: $user}
clusters:
- name: node
  cluster: {server: "https://$node_ip:6443", certificate-authority: $STATE/pki/ca.crt}
users:
- name: $user
  user: {client-certificate: $STATE/pki/$user.crt, client-key: $STATE/pki/$user.key}
EOF
done
