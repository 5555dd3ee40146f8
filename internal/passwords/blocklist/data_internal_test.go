package blocklist

import "testing"

// The binary search relies on it, and the first and last entries are found.
func TestDataIsSorted(t *testing.T) {
	t.Parallel()
	if len(data)%KeySize != 0 {
		t.Fatalf("%d bytes are no whole number of entries", len(data))
	}
	for i := KeySize; i < len(data); i += KeySize {
		if data[i-KeySize:i] >= data[i:i+KeySize] {
			t.Fatalf("entry %d is out of order", i/KeySize)
		}
	}
	for _, i := range []int{0, Len() / 2, Len() - 1} {
		if !contains(data[i*KeySize : (i+1)*KeySize]) {
			t.Errorf("entry %d is not found", i)
		}
	}
	for _, key := range []string{"\x00\x00\x00\x00\x00\x00", "\xff\xff\xff\xff\xff\xff"} {
		if contains(key) {
			t.Errorf("%x is found", key)
		}
	}
}
