package plan
import ("testing";"math/rand/v2")
func TestSoak(t *testing.T) {
	random := rand.NewChaCha8([32]byte{9})
	verbs := map[string]int{}
	for i := range 15000 {
		bytes := make([]byte, 220)
		_, _ = random.Read(bytes)
		if i%8==0 { decidedOnce(t, bytes) }
		comesToRest(t, bytes)
		for _, s := range Decide(thrown(bytes)).Steps { k:=string(s.Step.Verb); if s.Wait.Kind==None {k+=" now"}; verbs[k]++ }
		if t.Failed() { t.Fatalf("%d %q", i, bytes) }
	}
	t.Log(verbs)
}
