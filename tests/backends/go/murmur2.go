package main

import (
	"encoding/binary"
	"hash"
)

// murmur2 is the hash by which Kafka's own clients choose the partition of a key; sarama's is another.
type murmur2 struct{ key []byte }

func newMurmur2() hash.Hash32 { return &murmur2{} }

func (m *murmur2) Write(key []byte) (int, error) { m.key = append(m.key, key...); return len(key), nil }
func (m *murmur2) Reset()                        { m.key = nil }
func (m *murmur2) Size() int                     { return 4 }
func (m *murmur2) BlockSize() int                { return 4 }
func (m *murmur2) Sum(b []byte) []byte           { return binary.BigEndian.AppendUint32(b, m.Sum32()) }

func (m *murmur2) Sum32() uint32 {
	const factor = 0x5bd1e995
	key := m.key
	found := 0x9747b28c ^ uint32(len(key))
	for ; len(key) >= 4; key = key[4:] {
		part := binary.LittleEndian.Uint32(key) * factor
		found = found*factor ^ (part^part>>24)*factor
	}
	switch len(key) {
	case 3:
		found ^= uint32(key[2]) << 16
		fallthrough
	case 2:
		found ^= uint32(key[1]) << 8
		fallthrough
	case 1:
		found = (found ^ uint32(key[0])) * factor
	}
	found = (found ^ found>>13) * factor
	return (found ^ found>>15) & 0x7fffffff
}
