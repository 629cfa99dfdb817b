"""The rules that every page of a run follows: sound XML, nothing fetched, named pictures; and readers of
its tables, charts and confusion matrix."""
import csv
import html.parser
import os
import re
import xml.etree.ElementTree

import support

CHARTS = {"loss": ("train_loss", "validation_loss"),
          "accuracy": ("train_accuracy", "validation_accuracy"), "rate": ("learning_rate",),
          "norm": ("gradient_norm",)}


class Words(html.parser.HTMLParser):
    """Collects the text, the elements, and the addresses that the page would fetch."""

    def __init__(self, page):
        super().__init__()
        self.text, self.tags, self.fetched = "", [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.fetched += [pair for pair in attributes
                         if pair[0] in ("src", "href", "srcset", "xlink:href", "data")
                         and not (tag == "audio" and pair[1].startswith("data:audio/wav;base64,"))]

    def handle_data(self, data):
        self.text += data


class Page(support.Case):
    """Reads a page and checks the rules of all pages."""

    def page(self, path):
        text = support.read_text(path)
        self.words = Words(text)
        self.assertEqual(self.words.fetched, [])
        self.assertFalse({"script", "link", "img", "iframe", "object"} & set(self.words.tags))
        self.assertNotRegex(text, r"https?:|url\(|@import")
        root = xml.etree.ElementTree.fromstring(text)
        names = [element.get("id") for element in root.iter() if element.get("id")]
        self.assertEqual(len(names), len(set(names)))
        for picture in root.iter("svg"):
            for name in picture.get("aria-labelledby").split():
                self.assertIn(name, names)
            self.assertTrue(picture.find("title").text)
        return root

    def cells(self, root):
        """{(true, answered): count} of the confusion matrix."""
        found = {}
        for title in root.find(".//svg[@id='confusion']").iter("title"):
            match = re.fullmatch("true (.*), answered (.*): ([0-9]+)", title.text, re.DOTALL)
            if match:
                found[match[1], match[2]] = int(match[3])
        return found

    def confusion(self, run):
        """The same from confusion.csv, without zeros."""
        with open(os.path.join(run, "confusion.csv"), encoding="utf-8", newline="") as file:
            head, *rows = list(csv.reader(file))
        counts = {(row[0], label): int(count)
                  for row in rows for label, count in zip(head[1:], row[1:])}
        return {key: count for key, count in counts.items() if count > 0}

    def table(self, root, name):
        """The rows of a table, each a list of texts."""
        return [["".join(cell.itertext()) for cell in row]
                for row in root.find(f".//table[@id='{name}']/tbody")]

    def lines(self, root, chart):
        """The lines of a chart, [(class, points)]. All points must lie inside the axes."""
        picture = root.find(f".//svg[@id='{chart}']")
        frame = picture.find(".//rect[@class='frame']")
        x, y, width, height = (float(frame.get(key)) for key in ("x", "y", "width", "height"))
        found = []
        for line in picture.iter("polyline"):
            points = [tuple(map(float, point.split(","))) for point in line.get("points").split()]
            for point in points:
                self.assertTrue(x <= point[0] <= x + width and y <= point[1] <= y + height, chart)
            self.assertEqual(points, sorted(points, key=lambda point: point[0]))
            found.append((line.get("class").split()[1], points))
        return found

    def assert_drawn(self, run):
        """Asserts that the lines on a run's page are its metrics, with one scale for each chart."""
        root = self.page(os.path.join(run, "report.html"))
        rows = support.read_metrics(run)
        for chart, columns in CHARTS.items():
            lines = self.lines(root, chart)
            self.assertEqual([name for name, _ in lines], ["train", "validation"][:len(columns)])
            self.assertEqual([len(points) for _, points in lines], [len(rows)] * len(columns))
            drawn = sorted((float(row[column]), y) for column, (_, points) in zip(columns, lines)
                           for row, (_, y) in zip(rows, points))
            (low, bottom), (high, top) = drawn[0], drawn[-1]
            self.assertLess(top, bottom, chart)
            for value, y in drawn:
                share = (value - low) / (high - low)
                self.assertAlmostEqual(y, bottom + share * (top - bottom), delta=0.2, msg=chart)
