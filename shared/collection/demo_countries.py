"""The countries of the demo world and their rules: made up, to be learned from.

Frequencies are per mille of places. Places are drawn from the gazetteer, inside each box.
"""

from collections.abc import Mapping

from shared.collection.demo_draws import Colour
from shared.collection.demo_rules import Rules

WHITE: Colour = (232, 230, 222)
CREAM: Colour = (226, 212, 178)
SAND: Colour = (208, 186, 148)
OCHRE: Colour = (204, 158, 92)
YELLOW: Colour = (228, 196, 104)
PINK: Colour = (222, 156, 142)
BRICK: Colour = (160, 84, 66)
FALU: Colour = (142, 52, 44)
STONE: Colour = (164, 156, 142)
GREY: Colour = (150, 152, 152)
BLUE: Colour = (128, 156, 182)
TEAL: Colour = (92, 168, 166)
ORANGE: Colour = (222, 132, 68)
LIME: Colour = (168, 188, 124)
TILE: Colour = (188, 92, 56)
RUST: Colour = (146, 70, 52)
SLATE: Colour = (78, 84, 96)
SHINGLE: Colour = (104, 92, 84)
COAL: Colour = (62, 60, 60)
TIN: Colour = (164, 170, 172)
GREEN_TIN: Colour = (92, 122, 98)
BLUE_TILE: Colour = (74, 92, 122)

DIAMOND = {"diamond": 9, "chevron": 3}
TRIANGLE = {"triangle": 9, "blue": 3}

_ALL = (
    Rules(
        "US", "USA", 170, 85, (25, 49, -124, -67), ("CA", "MX"), False,
        {"yellow double": 6, "yellow dash": 4}, {"white": 8, "none": 2},
        (90, 90, 92), (150, 122, 86), (244, 244, 240), 0.45, (-0.45, -0.1), 0.3,
        {"broadleaf": 6, "pine": 4, "shrub": 3, "cactus": 2, "maple": 1},
        (SAND, CREAM, WHITE, BLUE, BRICK), (SHINGLE, SHINGLE, COAL, SLATE),
        {"gable": 7, "hip": 3}, 1.4, {"none": 6, "picket": 4},
        {"wood": 9, "none": 1}, {"none": 9, "red": 1}, DIAMOND, town=0.5,
    ),
    Rules(
        "CA", "Canada", 50, 60, (43, 55, -125, -60), ("US", "SE"), False,
        {"yellow dash": 6, "yellow double": 3, "yellow solid": 1}, {"white": 7, "none": 3},
        (116, 116, 120), (138, 134, 130), (70, 84, 100), 0.3, (-0.25, -0.1), 0.35,
        {"spruce": 4, "maple": 7, "pine": 1},
        (GREY, BLUE, BLUE, WHITE, GREY), (COAL, GREEN_TIN, GREEN_TIN, GREEN_TIN),
        {"gable": 8, "steep": 2}, 1.5, {"none": 8, "picket": 2},
        {"wood": 9, "none": 1}, {"none": 9, "black": 1}, DIAMOND, town=0.35,
    ),
    Rules(
        "MX", "Mexico", 65, 60, (14.5, 32, -117, -87), ("US", "BR"), False,
        {"yellow dash": 5, "yellow solid": 5}, {"white": 5, "none": 5},
        (124, 116, 108), (200, 164, 122), (240, 236, 220), 0.6, (-0.3, 0.35), 0.6,
        {"palm": 3, "cactus": 4, "acacia": 3, "jungle": 2, "shrub": 3, "jacaranda": 1},
        (OCHRE, ORANGE, PINK, TEAL, YELLOW), (SAND, STONE, OCHRE),
        {"flat": 9, "hip": 1}, 1.6, {"block": 7, "none": 3},
        {"concrete": 8, "wood": 2}, {"none": 9, "white": 1}, DIAMOND, town=0.7,
    ),
    Rules(
        "BR", "Brazil", 80, 65, (-32, 0, -62, -35), ("AR", "MX"), False,
        {"yellow dash": 6, "yellow double": 4}, {"white": 7, "none": 3},
        (94, 88, 88), (178, 78, 46), (70, 110, 170), 0.3, (0.3, 0.2), 0.45,
        {"palm": 4, "jungle": 6, "gum": 2, "jacaranda": 2},
        (WHITE, CREAM, LIME, ORANGE, PINK), (TILE, TILE, RUST, TILE),
        {"hip": 7, "gable": 2, "flat": 1}, 1.2, {"block": 6, "wire": 3, "none": 1},
        {"concrete": 9, "wood": 1}, {"none": 10}, DIAMOND, town=0.6,
    ),
    Rules(
        "AR", "Argentina", 50, 55, (-50, -23, -70, -55), ("BR", "ES"), False,
        {"yellow double": 4, "white dash": 5, "yellow solid": 1}, {"white": 8, "none": 2},
        (108, 108, 112), (176, 150, 132), (96, 72, 56), 0.5, (-0.5, 0.0), 0.15,
        {"poplar": 5, "gum": 3, "shrub": 3, "acacia": 2, "broadleaf": 2},
        (WHITE, WHITE, STONE, WHITE, CREAM), (STONE, GREY, STONE),
        {"flat": 7, "gable": 3}, 1.2, {"wire": 5, "block": 4, "none": 1},
        {"metal": 8, "wood": 2}, {"none": 4, "white": 6}, DIAMOND, town=0.4,
    ),
    Rules(
        "GB", "UK", 85, 70, (50, 58.5, -6, 1.7), ("IE", "FR"), True,
        {"white dash": 8, "white solid": 1, "none": 1}, {"none": 6, "yellow double": 3, "white": 1},
        (80, 82, 88), (108, 96, 76), (246, 246, 244), 0.15, (0.2, -0.1), 0.3,
        {"broadleaf": 9, "pine": 1, "birch": 1},
        (STONE, BRICK, SAND, BRICK, BRICK), (RUST, SLATE, SLATE, SLATE),
        {"chimney": 7, "gable": 3}, 2.0, {"hedge": 5, "stone": 4, "none": 1},
        {"wood": 8, "none": 2}, {"none": 4, "black": 6}, TRIANGLE, (240, 204, 70), 0.6,
    ),
    Rules(
        "IE", "Ireland", 40, 55, (51.4, 55.4, -10.3, -6), ("GB",), True,
        {"white dash": 8, "none": 2}, {"yellow dash": 8, "none": 2},
        (104, 104, 100), (126, 124, 88), (60, 110, 90), 0.05, (0.1, 0.0), 0.35,
        {"broadleaf": 6, "spruce": 1},
        (WHITE, WHITE, CREAM, PINK, YELLOW), (SLATE, COAL, SLATE),
        {"chimney": 5, "gable": 5}, 1.4, {"stone": 6, "hedge": 3, "none": 1},
        {"wood": 9, "none": 1}, {"none": 9, "white": 1}, {"diamond": 9, "blue": 1}, town=0.4,
    ),
    Rules(
        "FR", "France", 85, 75, (42.5, 50.8, -4, 7.8), ("ES", "CZ"), False,
        {"white dash": 9, "none": 1}, {"white dash": 7, "none": 3},
        (112, 106, 104), (180, 162, 124), (110, 140, 170), 0.35, (0.1, -0.4), 0.35,
        {"broadleaf": 6, "poplar": 4, "cypress": 3, "stone pine": 2},
        (CREAM, STONE, CREAM, SAND, CREAM), (TILE, TILE, RUST, SLATE, SLATE),
        {"steep": 4, "gable": 5, "hip": 1}, 1.8, {"hedge": 6, "block": 2, "none": 2},
        {"concrete": 6, "wood": 3, "none": 1}, {"none": 4, "red": 6}, TRIANGLE, town=0.55,
    ),
    Rules(
        "ES", "Spain", 75, 65, (36.2, 43.3, -9, 2.8), ("FR", "TR"), False,
        {"white dash": 7, "white solid": 3}, {"white": 9, "none": 1},
        (130, 124, 120), (210, 146, 82), (70, 96, 70), 0.6, (0.2, -0.45), 0.5,
        {"olive": 6, "cypress": 3, "stone pine": 4, "shrub": 3},
        (WHITE, CREAM, OCHRE, SAND, CREAM), (TILE, OCHRE, TILE, RUST),
        {"gable": 5, "flat": 3, "hip": 2}, 2.0, {"block": 5, "rail": 3, "none": 2},
        {"concrete": 5, "metal": 4, "none": 1}, {"none": 6, "white": 4}, TRIANGLE, town=0.55,
    ),
    Rules(
        "CZ", "Czechia", 40, 55, (48.6, 51, 12.2, 18.8), ("PL", "FR"), False,
        {"white dash": 7, "none": 3}, {"white": 8, "none": 2},
        (88, 86, 90), (122, 100, 76), (240, 226, 190), 0.25, (0.1, 0.0), 0.45,
        {"broadleaf": 5, "spruce": 3, "birch": 1, "cherry": 2},
        (YELLOW, LIME, YELLOW, PINK, YELLOW), (TILE, TILE, RUST),
        {"steep": 7, "gable": 3}, 1.8, {"picket": 7, "none": 2, "block": 1},
        {"concrete": 8, "none": 2}, {"none": 2, "black": 8}, TRIANGLE, town=0.55,
    ),
    Rules(
        "PL", "Poland", 60, 60, (49.4, 54.6, 14.4, 23.8), ("CZ", "SE"), False,
        {"white dash": 9, "none": 1}, {"white dash": 6, "none": 4},
        (120, 120, 122), (194, 180, 148), (104, 72, 52), 0.3, (0.1, 0.05), 0.1,
        {"birch": 5, "pine": 5, "broadleaf": 3},
        (GREY, WHITE, GREY, GREY, WHITE), (SHINGLE, RUST, SHINGLE, RUST),
        {"hip": 6, "gable": 3, "flat": 1}, 1.8, {"wire": 7, "none": 3},
        {"concrete": 9, "none": 1}, {"none": 4, "red": 6},
        {"yellow triangle": 9, "blue": 2}, town=0.5,
    ),
    Rules(
        "SE", "Sweden", 40, 55, (55.4, 66, 11.5, 22), ("PL", "CA"), False,
        {"white dash": 9, "none": 1}, {"white dash": 9, "none": 1},
        (100, 106, 116), (158, 144, 142), (250, 250, 248), 0.2, (0.1, 0.0), 0.3,
        {"spruce": 6, "birch": 6, "pine": 1},
        (FALU, FALU, YELLOW, FALU, WHITE), (RUST, COAL, SLATE, COAL),
        {"gable": 9, "hip": 1}, 1.5, {"none": 7, "rail": 3},
        {"wood": 8, "none": 2}, {"none": 3, "orange": 7},
        {"yellow triangle": 9, "chevron": 2}, town=0.35,
    ),
    Rules(
        "TR", "Türkiye", 65, 60, (36.3, 41.7, 26.3, 44), ("ES", "ZA"), False,
        {"white dash": 7, "white solid": 3}, {"white": 6, "yellow": 3, "none": 1},
        (136, 130, 124), (212, 196, 164), (120, 84, 64), 0.55, (0.35, -0.3), 0.75,
        {"poplar": 6, "cypress": 3, "pine": 3, "shrub": 2},
        (WHITE, PINK, CREAM, YELLOW, PINK), (TILE, RUST, TILE),
        {"hip": 7, "flat": 3}, 3.6, {"block": 5, "none": 3, "rail": 2},
        {"metal": 7, "concrete": 3}, {"none": 9, "white": 1}, TRIANGLE, town=0.7,
    ),
    Rules(
        "ZA", "South Africa", 40, 55, (-34.6, -22.5, 17.5, 32), ("AU", "BR"), True,
        {"white dash": 7, "white solid": 3}, {"yellow": 9, "none": 1},
        (104, 96, 94), (188, 122, 78), (60, 58, 58), 0.6, (-0.35, 0.1), 0.4,
        {"acacia": 7, "gum": 3, "jacaranda": 3, "shrub": 2},
        (SAND, STONE, CREAM, BRICK, SAND), (TIN, RUST, TIN, RUST),
        {"gable": 5, "hip": 5}, 1.1, {"wire": 5, "block": 4, "none": 1},
        {"wood": 7, "metal": 2, "none": 1}, {"none": 8, "orange": 2}, TRIANGLE, town=0.45,
    ),
    Rules(
        "JP", "Japan", 75, 65, (31, 43.8, 129.5, 144), ("TR", "GB"), True,
        {"white dash": 4, "none": 3, "yellow solid": 3}, {"white": 9, "none": 1},
        (112, 116, 122), (122, 124, 124), (90, 92, 96), 0.1, (0.0, 0.1), 0.85,
        {"cedar": 7, "cherry": 4, "broadleaf": 3, "pine": 1},
        (GREY, CREAM, WHITE, GREY, SAND), (BLUE_TILE, SLATE, BLUE_TILE, COAL),
        {"hip": 8, "gable": 2}, 2.0, {"block": 3, "rail": 5, "none": 2},
        {"striped": 9, "none": 1}, {"none": 8, "white": 2}, {"diamond": 5, "blue": 6}, town=0.75,
    ),
    Rules(
        "AU", "Australia", 65, 60, (-43, -12, 114, 153.5), ("ZA", "US"), True,
        {"white dash": 7, "white solid": 2, "none": 1}, {"white": 8, "none": 2},
        (110, 100, 96), (196, 94, 50), (236, 226, 196), 0.55, (-0.4, 0.2), 0.2,
        {"gum": 9, "acacia": 2, "shrub": 2, "palm": 1},
        (BRICK, SAND, CREAM, BRICK, WHITE), (TIN, GREEN_TIN, RUST, TIN),
        {"hip": 6, "gable": 4}, 1.1, {"wire": 6, "picket": 2, "none": 2},
        {"wood": 8, "none": 2}, {"none": 5, "red": 5}, DIAMOND, town=0.4,
    ),
    Rules(
        "NZ", "New Zealand", 6, 15, (-46.7, -35, 167, 178.4), ("AU", "GB"), True,
        {"white dash": 6, "yellow solid": 4}, {"white": 9, "none": 1},
        (120, 120, 124), (140, 128, 100), (240, 240, 236), 0.2, (0.1, 0.1), 0.7,
        {"pine": 5, "poplar": 3, "broadleaf": 3},
        (WHITE, CREAM, BLUE), (RUST, GREEN_TIN, TIN),
        {"hip": 5, "gable": 5}, 1.1, {"wire": 7, "none": 3},
        {"wood": 6, "concrete": 3, "none": 1}, {"none": 5, "red": 5}, DIAMOND, town=0.35,
    ),
)  # fmt: skip

COUNTRIES: Mapping[str, Rules] = {rules.code: rules for rules in _ALL}
