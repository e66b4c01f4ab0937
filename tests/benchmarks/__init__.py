"""The bus beside its neighbours: the same payloads, headers and broker, round by round."""
