from spots_ml.release.onnx.sessions import N_THREADS, empty_graph, open_session


def test_the_empty_graph_passes_its_input_on(golden):
    rows = golden("calling_score", 3)

    assert (open_session(empty_graph(39)).run(["output"], {"input": rows})[0] == rows).all()


def test_a_session_uses_one_thread_on_the_processor(good_file):
    session = open_session(good_file)

    assert session.get_session_options().intra_op_num_threads == N_THREADS == 1
    assert session.get_providers() == ["CPUExecutionProvider"]
