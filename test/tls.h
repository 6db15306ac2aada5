// Pairs of keys and certificates, and what a handshake agrees on.

#pragma once

#include <string>

#include "files.h"
#include "text.h"

namespace hello {

/// The group of a verified TLS 1.3 handshake with 127.0.0.1, by the name that openssl
/// has for it, such as "X25519"; or all that openssl says, where it fails.
std::string key_exchange(int port, const Path& ca);

/// The first group of HELLO_TLS_GROUPS that openssl's own client and this machine's
/// mod_ssl have in common: X25519MLKEM768 from OpenSSL 3.5 on, else X25519.
std::string best_key_exchange();

/// A key and a certificate made by scripts/make-cert: server.key and server.crt.
void make_cert(const Path& folder, const Strings& options = {});

/// A pair for 127.0.0.1 and localhost, in a fifteenth of the time: for whatever is not about
/// scripts/make-cert.
void make_quick_cert(const Path& folder);

/// Signs server.csr or the like as a certificate that has expired when this returns; signer is by
/// whom, as "openssl x509" takes it: {"-signkey", key} or {"-CA", …, "-CAkey", …}. Throws where
/// openssl fails.
void make_expired(const Path& request, const Strings& signer, const Path& certificate);

/// A CA and a client's pair made by scripts/make-client-cert.
void make_client_cert(const Path& folder, const std::string& name, const Strings& options = {});

}  // namespace hello
