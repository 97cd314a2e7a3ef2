"""The page in a real browser: what it asks for, what it draws, what its graph does, and what hostile names do not."""

import time

import pytest

from tests.html import runs

LAPTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def shown(page, side):
    """Labels of the boxes of one side."""
    return page.eval_on_selector_all(f"#view-{side} g.item", "all => all.map(g => g.getAttribute('aria-label'))")


def drawn(page):
    """Charts by name: whether any of their pixels is not transparent."""
    found = page.eval_on_selector_all(
        "canvas",
        "all => all.map(c => [c.id, c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v)])",
    )
    return {name.removeprefix("chart-"): is_drawn for name, is_drawn in found}


def click_box(page, side, text):
    page.locator(f"#view-{side} g.item", has_text=text).last.locator("text").first.dispatch_event(
        "click", {"bubbles": True}
    )


@pytest.mark.parametrize("viewport", [LAPTOP, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_offline_and_draws(open_page, viewport, scheme):
    page = open_page(runs.small(), viewport=viewport, color_scheme=scheme)
    assert [u for u in page.requests if not u.startswith(("file:", "data:"))] == []
    assert page.complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    names = ["latency-0", "counts", "pie-before", "pie-after", "bytes", "times", "layers-0"]
    assert drawn(page) == dict.fromkeys(names, True)


@pytest.mark.parametrize("viewport", [LAPTOP, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_comparison_draws_its_intervals(open_page, viewport, scheme):
    page = open_page(runs.comparison(), viewport=viewport, color_scheme=scheme)
    assert [u for u in page.requests if not u.startswith(("file:", "data:"))] == []
    assert page.complaints == []
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert drawn(page) == dict.fromkeys(("latency-0", "times", "value-0", "difference-0", "agreement"), True)
    links = page.eval_on_selector_all("nav a", "all => all.map(a => [a.textContent, !!document.querySelector(a.hash)])")
    assert links == [[n, True] for n in ("Summary", "Evaluation", "Latency", "Ops", "Answers", "Run")]


def test_the_interval_chart_shows_values_ends_and_zero(open_page):
    page = open_page(runs.evaluation(), viewport=LAPTOP)
    read = "id => [Chart.getChart(id)].map(c => [c.data.datasets[0].data, c.scales.x.min, c.scales.x.max])[0]"
    bars, low, high = page.evaluate(read, "chart-difference-0")
    assert bars == [[-0.04, -0.02]]
    assert low < -0.04
    assert high > 0
    bars, *_ = page.evaluate(read, "chart-value-0")
    assert bars == [[0.87, 0.905], [0.84, 0.88]]
    rows = page.locator("#evaluation tr", has_text="top1").all_text_contents()
    for row, part in zip(rows, ("0.8900 ± 0.018", "0.8600 ± 0.02", "40 lost, 2 gained"), strict=True):
        assert part in row


def test_an_evaluation_of_one_model_has_no_table_of_two(open_page):
    page = open_page(runs.evaluation_of_one(), viewport=PHONE)
    assert page.complaints == []
    assert page.locator("#summary table").count() == 0
    assert drawn(page) == {"value-0": True, "value-1": True}
    assert "--data eval.npz" in page.locator("#run").inner_text()


def test_a_run_shows_the_evaluation_that_is_joined_to_it(open_page):
    page = open_page(runs.small(times=False), runs.comparison(), viewport=LAPTOP)
    assert page.complaints == []
    assert "top1 loss on 1,280 samples" in page.locator("#summary").inner_text()
    assert {"value-0", "counts", "latency-0", "layers-0", "agreement"} <= drawn(page).keys()
    assert page.locator("#view-after g.item").count() > 0


def test_hostile_names_of_outputs_do_not_run(open_page):
    page = open_page(runs.hostile_evaluation(), viewport=LAPTOP)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked") is None
    assert page.complaints == []
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 3


def test_every_chart_has_a_table_of_the_same_numbers(open_page):
    page = open_page(runs.small(), viewport=LAPTOP)
    assert page.locator("details.fold table").count() >= 6
    row = page.locator("#ops tr", has_text="Const").first
    assert row.locator("td").all_text_contents() == ["2", "1", "-50 %"]


def test_a_run_without_times_records_and_proof(open_page):
    report = runs.report_of([])
    report.verification = None
    page = open_page(report, viewport=LAPTOP)
    assert page.complaints == []
    assert page.locator("#graph").count() == 0
    assert page.locator("#latency").count() == 0
    assert "not compared" in page.locator("#summary").inner_text()


def test_groups_fold_and_unfold_with_the_mouse_and_the_keyboard(open_page):
    page = open_page(runs.small(), viewport=LAPTOP)
    assert any("relu" in label for label in shown(page, "before"))  # a lone group is open at first
    box = page.locator("#view-before g.item.open").first
    box.locator("text.head").first.click()
    assert not any("relu" in label for label in shown(page, "before") + shown(page, "after"))
    page.keyboard.press("Enter")  # the group has the focus
    assert any("relu" in label for label in shown(page, "before"))
    page.click("#fold-all")
    assert page.locator("#view-before g.item").count() >= 3


def test_a_node_tells_what_it_is_who_made_it_and_what_it_replaced(open_page):
    page = open_page(runs.small(), viewport=LAPTOP)
    click_box(page, "after", "Conv2D")
    details = page.locator("#details").inner_text()
    for part in ("net/bn/mul", "Conv2D", "Changed", "fold_mul_into_linear", "net/conv/Conv2D", "net/bn/scale"):
        assert part in details
    page.get_by_role("button", name="net/conv/Conv2D", exact=True).first.click()
    details = page.locator("#details").inner_text()
    assert "Only in the original." in details
    assert "strides" in details
    assert "in its place" in details


def test_changes_are_marked_by_more_than_colour(open_page):
    page = open_page(runs.small(), viewport=LAPTOP)
    assert "− Conv2D, Conv2D" in [label.replace("conv/", "") for label in shown(page, "before")]
    assert page.locator("#view-after g.item.changed").count() >= 1
    assert page.locator("#view-before g.item.only-before").count() >= 1
    page.click("#next-change")
    assert "Conv2D" in page.locator("#details").inner_text()


def test_weights_are_shown_when_asked_for(open_page):
    page = open_page(runs.small(), viewport=LAPTOP)
    assert not any("kernel" in label for label in shown(page, "before"))
    page.check("#weights")
    page.fill("#search", "kernel")
    page.press("#search", "Enter")
    assert any("kernel" in label for label in shown(page, "before"))


def test_search_finds_nodes_of_either_side(open_page):
    page = open_page(runs.small(), viewport=LAPTOP)
    page.fill("#search", "conv2d")
    found = page.locator("#found button").all_text_contents()
    assert found == ["net/conv/Conv2D Conv2D, only before", "net/bn/mul Conv2D, only after"]
    page.fill("#search", "nothing like it")
    assert "nothing" in page.locator("#found").inner_text()
    page.fill("#search", "folded")  # a constant: it becomes visible
    page.press("#search", "Enter")
    assert page.is_checked("#weights")
    assert "fold_mul_into_linear" in page.locator("#details").inner_text()


def test_sides_and_themes_switch(open_page):
    page = open_page(runs.small(), viewport=LAPTOP, color_scheme="light")
    page.click("[data-sides=after]")
    assert not page.is_visible("#view-before")
    assert page.get_attribute("[data-sides=after]", "aria-pressed") == "true"
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    assert page.complaints == []


def test_hostile_names_do_not_run(open_page):
    page = open_page(runs.hostile(), viewport=LAPTOP)
    page.check("#weights")
    for text in ("script", "img", "lone", "separator"):
        page.fill("#search", text)
        page.wait_for_selector("#found button")
        page.press("#search", "Enter")
        assert "Op" in page.locator("#details").inner_text()
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked") is None
    assert page.complaints == []
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 3  # data, the library, our own
    assert "<script>window.hacked=1</script>" in page.locator("#run").inner_text()


def test_scripts_that_were_injected_would_be_stopped(open_page):
    page = open_page(runs.small(), viewport=LAPTOP)
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.hacked = 1'}))"
    )
    page.evaluate("fetch('https://example.com').catch(() => null)")
    assert page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in c for c in page.complaints)


@pytest.mark.parametrize("name", [lambda k: f"net/block_{k // 100}/layer_{k // 10 % 10}/op_{k}", lambda k: f"node_{k}"])
def test_5000_nodes_are_interactive_within_3_s(open_page, name):
    begin = time.monotonic()
    page = open_page(runs.chain(5000, name), viewport=LAPTOP)
    ready = time.monotonic() - begin
    begin = time.monotonic()
    page.fill("#search", "4321")
    page.press("#search", "Enter")
    page.wait_for_selector("#view-before g.chosen")
    found = time.monotonic() - begin
    begin = time.monotonic()
    page.click("#fold-all")
    folded = time.monotonic() - begin
    assert max(ready, found, folded) < 3
    assert page.complaints == []
