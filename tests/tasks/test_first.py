def test_speaks(tts):
    d = tts.run("-v")
    import pprint
    print(d.stderr); pprint.pprint(tts.record(), width=160)
    d = tts.run("--sampler","top-p:0.9","--json",text="Glue the sheet to the dark blue background. It is easy to tell the depth of a well! These days a chicken leg is rare?", seed=None)
    print(d.stderr, d.stdout[:200])
    d = tts.cli("stt", tts.out, "--model", tts.model, "--device","cpu", "-v")
    print(d)
