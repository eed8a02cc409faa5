"""The methods of a lens that its parts have, a line each."""

from __future__ import annotations

from semlens_widgets.lens.agreeing import Agreeing
from semlens_widgets.lens.audit import Auditing
from semlens_widgets.lens.choosing import Choosing
from semlens_widgets.lens.delegated import delegated
from semlens_widgets.lens.domain import Domain
from semlens_widgets.lens.explained import Explaining
from semlens_widgets.lens.faithfulness import Faithfulness
from semlens_widgets.lens.granular import Granular
from semlens_widgets.lens.intervene import Intervening
from semlens_widgets.lens.labelling import Labelling
from semlens_widgets.lens.looking import Looking
from semlens_widgets.lens.people import PeoplesLabels
from semlens_widgets.lens.relevance import Relevances
from semlens_widgets.lens.robust import Robust
from semlens_widgets.lens.scoring import Scoring
from semlens_widgets.lens.search import Search
from semlens_widgets.lens.showing import Showing
from semlens_widgets.lens.stability import Stable
from semlens_widgets.lens.study import Studying
from semlens_widgets.lens.trace import Tracing
from semlens_widgets.lens.trust import Trusting


class Methods:
    """What a lens on a finished analysis can be asked; each part documents its own methods."""

    search = delegated("searching", Search.search)
    search_chance = delegated("searching", Search.search_chance)
    label = delegated("labelling", Labelling.label)
    set_label = delegated("people", PeoplesLabels.set_label)
    set_labels = delegated("people", PeoplesLabels.set_labels)
    clear_label = delegated("people", PeoplesLabels.clear_label)
    export_labels = delegated("people", PeoplesLabels.export_labels)
    import_labels = delegated("people", PeoplesLabels.import_labels)
    label_choices = delegated("choosing", Choosing.label_choices)
    scorer_labels = delegated("choosing", Choosing.scorer_labels)
    scores = delegated("scoring", Scoring.scores)
    contributions = delegated("scoring", Scoring.contributions)
    label_chance = delegated("scoring", Scoring.label_chance)
    neuron_chance = delegated("scoring", Scoring.neuron_chance)
    check_texts = delegated("scoring", Scoring.check_texts)
    trust = delegated("trusting", Trusting.trust)
    intervals = delegated("trusting", Trusting.intervals)
    explain = delegated("explaining", Explaining.explain)
    activations = delegated("looking", Looking.activations)
    activation_histogram = delegated("looking", Looking.activation_histogram)
    example_clusters = delegated("looking", Looking.example_clusters)
    original = delegated("looking", Looking.original)
    original_jpeg = delegated("looking", Looking.original_jpeg)
    thumbnail = delegated("looking", Looking.thumbnail)
    thumbnails = delegated("looking", Looking.thumbnails)
    thumbnail_jpegs = delegated("looking", Looking.thumbnail_jpegs)
    heatmap = delegated("looking", Looking.heatmap)
    heatmaps = delegated("looking", Looking.heatmaps)
    figure = delegated("looking", Looking.figure)
    relevance = delegated("relevances", Relevances.relevance)
    class_examples = delegated("relevances", Relevances.class_examples)
    audit = delegated("auditing", Auditing.audit)
    faithfulness = delegated("judging", Faithfulness.faithfulness)
    robustness = delegated("robust", Robust.robustness)
    stability = delegated("stable", Stable.stability)
    domain_check = delegated("domain", Domain.domain_check)
    agreement = delegated("agreeing", Agreeing.agreement)
    granularity = delegated("granular", Granular.granularity)
    consistency = delegated("agreeing", Agreeing.consistency)
    study = delegated("studying", Studying.study)
    study_results = delegated("studying", Studying.study_results)
    intervene = delegated("intervening", Intervening.intervene)
    trace = delegated("tracing", Tracing.trace)
    map = delegated("showing", Showing.map)
    gallery = delegated("showing", Showing.gallery)
    contrast = delegated("showing", Showing.contrast)
    review = delegated("showing", Showing.review)
    explore = delegated("showing", Showing.explore)
