"""Words that nobody chose for the case at hand: what chance is, and something to begin with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_RANDOM = """
    absence accountant acid advice airport alarm album almond alphabet ambulance anchor ancient
    angle ankle anniversary apology apron archive argument army asleep athlete auction autumn award
    axis bacon bakery balcony ballet bamboo banker bargain basement battery beard belief bitter
    blizzard boredom bracelet bravery breakfast bronze budget bureau calendar canal candidate
    caravan carnival cashier ceiling century ceramic charity cheerful chimney choir cinema citizen
    clever climate coal comedy compass concert contract copper coral courage cousin cradle customs
    damp dancer deadline debate deep dentist diary diploma disaster dizzy doubt dusty earthquake
    echo eclipse election elegant embassy empty engineer envelope error essay evening expensive
    factory failure famine fashion fever fiction flute foggy formula fountain fragile freight
    funeral furnace galaxy garlic gentle ghost glacier gossip grammar gravity guest habit harbour
    harvest heritage hobby honest honey humid hunger idea illness industry injury insurance invoice
    irony jealous jewel journey judge jury kettle laughter law lecture leisure liberty library linen
    logic lonely luggage luxury magnet marathon marriage medicine memory merchant mineral monday
    motive museum mustard mystery narrow nation needle noise novel oath onion opera orchard orphan
    oxygen parcel parliament patience pension pepper permission pharmacy pioneer poverty priest
    privacy profit quarrel rescue rhythm salary satellite silent theory tourist treaty virus wisdom
"""
#: 201 words from all of life, so that few of them fit any one neuron: what they score is chance.
#: With 201, median and 95th percentile are the 101st and the 191st, nothing in between.
RANDOM_WORDS: tuple[str, ...] = tuple(_RANDOM.split())

_VISUAL = """
    red, orange, yellow, green, blue, purple, pink, brown, black, white, grey, colourful,
    striped, dotted, checkered, plaid, spotted, zigzag, grid, mesh, spiral, curve, circle, square,
    triangle, star, cross, ring, heart, line, corner, edge, diagonal lines, horizontal lines,
    vertical lines, dots, text, letters, numbers, logo, watermark, border, frame,
    smooth, rough, shiny, matte, transparent, blurry, dark, bright, shadow, reflection, silhouette,
    furry, feathery, scaly, wrinkled, woven, knitted, bumpy, cracked, rusty, wet, fluffy,
    wood, metal, stone, brick, glass, plastic, fabric, leather, paper, concrete, sand, soil,
    fur, feathers, skin, scales, fabric folds, wire, rope, chain, fence, net,
    face, eye, ear, nose, mouth, teeth, hair, hand, finger, arm, leg, foot, tail, wing, beak, horn,
    paw, person, man, woman, child, crowd, portrait,
    dog, cat, horse, cow, sheep, pig, bear, lion, tiger, elephant, monkey, rabbit, mouse, deer,
    bird, duck, chicken, eagle, owl, fish, shark, whale, snake, lizard, frog, turtle, crab, insect,
    butterfly, bee, spider, animal,
    tree, leaf, flower, grass, bush, forest, branch, trunk, mushroom, moss, plant,
    fruit, apple, banana, berry, vegetable, bread, cheese, meat, cake, pizza, soup, food, drink,
    bottle, cup, bowl, plate, spoon, knife, pan,
    car, bus, truck, train, bicycle, motorcycle, airplane, boat, ship, wheel, engine, road, rail,
    building, house, tower, church, castle, bridge, roof, window, door, wall, stairs, column,
    city, street, market, room, kitchen, bathroom, bedroom, office, shop, stage, stadium, garden,
    sky, cloud, sun, moon, night, sunset, rain, snow, ice, fire, smoke, water, sea, lake, river,
    waterfall, beach, mountain, desert, cave, field, horizon,
    chair, table, bed, sofa, lamp, shelf, cabinet, mirror, clock, carpet, curtain, box, bag,
    basket, shirt, trousers, dress, coat, hat, shoe, glove, helmet, glasses, necklace, watch,
    uniform, book, newspaper, pen, phone, computer, keyboard, screen, camera, television, cable,
    hammer, scissors, ladder, tool, machine, weapon, guitar, piano, drum, ball, toy, doll, flag,
    sign, poster, painting, statue, candle, coin, key, umbrella, balloon
"""
#: Names of what pictures show: colours, patterns, materials, parts, things, places.
VISUAL_WORDS: tuple[str, ...] = tuple(dict.fromkeys(" ".join(_VISUAL.split()).split(", ")))


def default_vocabulary(classes: Iterable[str]) -> tuple[str, ...]:
    """Return labels to begin with: the images' classes that are words, then `VISUAL_WORDS`."""
    return tuple(dict.fromkeys((*class_words(classes), *VISUAL_WORDS)))


def class_words(classes: Iterable[str]) -> tuple[str, ...]:
    """Return the images' classes that are words.

    Underscores become blanks. Class names such as ``"7"`` and ``"n01440764"`` are no words, and
    "unknown" is how a neuron without a label is called.
    """
    names = (" ".join(name.replace("_", " ").split()) for name in classes)
    words = (name for name in names if re.search(r"[^\W\d_]{2}|^[^\W\d_]+$", name))
    return tuple(dict.fromkeys(word for word in words if word.casefold() != "unknown"))
